find_package(prometheus-cpp REQUIRED CONFIG)
target_link_libraries(kinglet_base PRIVATE spdlog::spdlog_header_only prometheus-cpp::core)
# Every module reuses base's precompiled header, which is only valid with the same definitions.
target_compile_definitions(kinglet_base PUBLIC SPDLOG_FMT_EXTERNAL)
