find_package(LibArchive REQUIRED)
target_link_libraries(kinglet_node PRIVATE LibArchive::LibArchive)
find_package(PkgConfig REQUIRED)
pkg_check_modules(NL REQUIRED IMPORTED_TARGET libnl-route-3.0)
find_library(KINGLET_ldns ldns REQUIRED)
find_library(KINGLET_RE2 re2 REQUIRED)  # not by pkg-config: its -pthread does not go with the precompiled header
target_link_libraries(kinglet_node PRIVATE PkgConfig::NL ${KINGLET_RE2} ${KINGLET_ldns} ${CMAKE_DL_LIBS})
