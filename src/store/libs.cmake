find_package(SQLite3 REQUIRED)
find_package(ZLIB REQUIRED)
target_link_libraries(kinglet_store PRIVATE SQLite::SQLite3 ZLIB::ZLIB)
