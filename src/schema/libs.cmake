# The tables and structs are made from api/*.schema when those change; nothing generated is committed.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(api_dir ${CMAKE_SOURCE_DIR}/api)
set(api_out ${CMAKE_BINARY_DIR}/generated)
file(GLOB api_inputs CONFIGURE_DEPENDS ${api_dir}/*.schema ${api_dir}/*.py)
# The list of outputs depends on the files' contents, so it is asked for again when they change.
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${api_inputs})
execute_process(
  COMMAND ${CMAKE_COMMAND} -E env PYTHONDONTWRITEBYTECODE=1 ${Python3_EXECUTABLE} ${api_dir}/generate.py --list
          ${api_dir} ${api_out}
  OUTPUT_VARIABLE api_outputs COMMAND_ERROR_IS_FATAL ANY)
add_custom_command(
  OUTPUT ${api_outputs}
  COMMAND ${CMAKE_COMMAND} -E env PYTHONDONTWRITEBYTECODE=1 ${Python3_EXECUTABLE} ${api_dir}/generate.py ${api_dir}
          ${api_out}
  DEPENDS ${api_inputs} COMMENT "Making the API tables" VERBATIM)
# Modules that include api/*.h must not compile before the headers exist; they depend on kinglet_schema's sources
# through this target.
add_custom_target(kinglet_api_tables DEPENDS ${api_outputs})
target_sources(kinglet_schema PRIVATE ${api_outputs})
add_dependencies(kinglet_schema kinglet_api_tables)
target_include_directories(kinglet_schema PUBLIC ${api_out})
