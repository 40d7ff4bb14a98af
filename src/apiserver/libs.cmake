find_package(ZLIB REQUIRED)  # gzip of long answers
target_link_libraries(kinglet_apiserver PRIVATE ZLIB::ZLIB)
