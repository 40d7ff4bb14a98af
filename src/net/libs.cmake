# Debian ships wslay as a shared library only; nghttp2 and http-parser link statically into a release.
foreach(lib nghttp2 wslay http_parser)
  find_library(KINGLET_${lib} ${lib} REQUIRED)
  target_link_libraries(kinglet_net PRIVATE ${KINGLET_${lib}})
endforeach()
find_package(ZLIB REQUIRED)  # the headers of SPDY
target_link_libraries(kinglet_net PRIVATE OpenSSL::SSL OpenSSL::Crypto ZLIB::ZLIB)
