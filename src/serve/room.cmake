# g++ 12 takes the operators with which Asio makes a coroutine's frame for a mismatched pair (a
# false alarm that later versions do not give).
set_source_files_properties(
  ${CMAKE_SOURCE_DIR}/src/serve/connection.cpp ${CMAKE_SOURCE_DIR}/src/serve/server.cpp
  ${CMAKE_SOURCE_DIR}/src/serve/answer.cpp
  PROPERTIES COMPILE_OPTIONS "$<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>")
