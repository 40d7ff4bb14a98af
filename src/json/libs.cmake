find_package(yaml-cpp REQUIRED)
target_link_libraries(kinglet_json PRIVATE yaml-cpp)
