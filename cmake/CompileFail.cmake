# Programs that must not compile. Each test/compile_fail/<name>.cpp names in its first lines the
# rooms it may see and the diagnostic that must appear:
#   // rooms: base model proofs
#   // expect: regular expression
# It is compiled twice, by tools/compile-fail: with -DMUST_FAIL, where it must not compile and
# say just that, and without, where its twin (the other side of one #ifdef) must. So a program
# that fails for the wrong reason, or a rule that has gone, turns the test red.
file(GLOB cases CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/compile_fail/*.cpp)
foreach(source ${cases})
  get_filename_component(name ${source} NAME_WE)
  add_test(NAME compile_fail.${name}
    COMMAND ${CMAKE_SOURCE_DIR}/tools/compile-fail ${CMAKE_CXX_COMPILER} ${CMAKE_SOURCE_DIR} ${source})
endforeach()
