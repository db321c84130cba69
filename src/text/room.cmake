# The helper of tools/fuzz_jinja.py.
add_executable(jinja_lines EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/tools/jinja_lines.cpp)
target_link_libraries(jinja_lines PRIVATE orrery_text)
