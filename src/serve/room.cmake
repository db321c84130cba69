# g++ 12 takes the operators with which Asio makes a coroutine's frame for a mismatched pair (a
# false alarm that later versions do not give).
set_source_files_properties(
  ${CMAKE_SOURCE_DIR}/src/serve/connection.cpp ${CMAKE_SOURCE_DIR}/src/serve/server.cpp
  ${CMAKE_SOURCE_DIR}/src/serve/answer.cpp
  PROPERTIES COMPILE_OPTIONS "$<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>")

# The Explorer's page, when it has been built: every file of web/dist becomes a part of the program.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(page_dir ${CMAKE_SOURCE_DIR}/web/dist)
set(page_source ${CMAKE_BINARY_DIR}/generated/page_files.cpp)
file(GLOB_RECURSE page_inputs CONFIGURE_DEPENDS ${page_dir}/*)
add_custom_command(
  OUTPUT ${page_source}
  COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/cmake/embed_page.py ${page_dir} ${page_source}
  COMMAND ${CMAKE_COMMAND} -E touch ${page_source}
  DEPENDS ${CMAKE_SOURCE_DIR}/cmake/embed_page.py ${page_inputs}
  COMMENT "Embedding the Explorer's page"
  VERBATIM)
target_sources(orrery_serve PRIVATE ${page_source})
