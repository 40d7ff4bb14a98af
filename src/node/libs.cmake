find_package(LibArchive REQUIRED)
target_link_libraries(kinglet_node PRIVATE LibArchive::LibArchive)
