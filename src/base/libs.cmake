find_package(prometheus-cpp REQUIRED CONFIG)
target_link_libraries(kinglet_base PRIVATE spdlog::spdlog_header_only prometheus-cpp::core)
