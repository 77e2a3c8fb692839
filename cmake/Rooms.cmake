# The rooms of src/ and which may include which. A room is a static library whose public
# headers stand in src/<room>/include/<room>/. A room sees the headers of the rooms in its
# NEEDS list and no others: an include outside it is not found, so it does not compile.
#
# room(<name> NEEDS <rooms...> [LIBS <libraries...>] [TESTS <rooms that only its tests see...>])
# takes every .cpp of the folder but *_test.cpp, *_fuzz.cpp and *_bench.cpp; those become
# tests, fuzz targets and benchmarks of their own.
# Headers do not travel: NEEDS of a need are not visible. What a room shows to rooms that may
# not see, say, storage must therefore stand in headers that include none of it.
function(room_sees target)
  foreach(seen ${ARGN})
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/src/${seen}/include)
  endforeach()
endfunction()

function(room name)
  cmake_parse_arguments(R "" "" "NEEDS;LIBS;TESTS" ${ARGN})
  set(dir ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${dir}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|bench)\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_include_directories(${name} PRIVATE ${dir})
    room_sees(${name} ${name} ${R_NEEDS})
    target_link_libraries(${name} PUBLIC ${R_NEEDS} ${R_LIBS} PRIVATE warn_interface harden_interface sanitize_interface)
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE ${R_NEEDS} ${R_LIBS})
  endif()
  room_tests(${name} ${name} ${R_NEEDS} ${R_TESTS})
endfunction()

# One Catch2 program per room, from the room's *_test.cpp; one libFuzzer target per *_fuzz.cpp
# (a plain program that replays its corpus in the other presets).
function(room_tests name)  # ARGN: the rooms it sees
  set(dir ${CMAKE_SOURCE_DIR}/src/${name})
  file(GLOB tests CONFIGURE_DEPENDS ${dir}/*_test.cpp)
  if(tests AND CAIP_TESTS)
    add_executable(${name}_test ${tests})
    target_include_directories(${name}_test PRIVATE ${dir} ${CMAKE_SOURCE_DIR}/test/support)
    room_sees(${name}_test ${ARGN})
    target_link_libraries(${name}_test PRIVATE ${name} ${ARGN} warn_interface sanitize_interface Catch2::Catch2WithMain rapidcheck)
    add_test(NAME unit.${name} COMMAND ${name}_test --reporter compact)
    set_tests_properties(unit.${name} PROPERTIES ENVIRONMENT "CAIP_SOURCE=${CMAKE_SOURCE_DIR};CAIP_BINARY=${CMAKE_BINARY_DIR}")
  endif()
  file(GLOB fuzzers CONFIGURE_DEPENDS ${dir}/*_fuzz.cpp)
  foreach(source ${fuzzers})
    get_filename_component(target ${source} NAME_WE)
    set(corpus ${CMAKE_SOURCE_DIR}/test/fuzz/corpus/${target})
    add_executable(${target} ${source})
    target_include_directories(${target} PRIVATE ${dir})
    room_sees(${target} ${ARGN})
    target_link_libraries(${target} PRIVATE ${name} warn_interface sanitize_interface)
    if(CAIP_FUZZ)
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
      target_sources(${target} PRIVATE ${CMAKE_SOURCE_DIR}/test/support/replay_main.cpp)
      add_test(NAME corpus.${target} COMMAND ${target} ${corpus})
    endif()
  endforeach()
endfunction()

# --- the rooms, in the order of their dependence -----------------------------------------
room(base          NEEDS                                   LIBS spdlog::spdlog_header_only Boost::json)
target_compile_definitions(base PRIVATE FMT_HEADER_ONLY)  # Debian has no static libfmt, and agents bring everything
room(model         NEEDS base)
room(proofs        NEEDS base model)
room(crypto        NEEDS base                              LIBS OpenSSL::Crypto crypt)
room(storage       NEEDS base                              LIBS SQLite::SQLite3)
room(verifier      NEEDS base crypto                       LIBS SQLite::SQLite3 OpenSSL::Crypto TESTS model proofs storage audit)
room(audit         NEEDS base model proofs crypto storage  TESTS verifier)
room(secrets       NEEDS base model crypto                 LIBS OpenSSL::Crypto)
room(authorization NEEDS base model proofs)
room(auth          NEEDS base model proofs crypto storage audit secrets)
room(approvals     NEEDS base model proofs crypto storage audit authorization)
room(tls           NEEDS base                              LIBS OpenSSL::SSL TESTS crypto)
room(channel       NEEDS base model proofs crypto tls      LIBS OpenSSL::SSL protobuf::libprotobuf wire_proto)
room(servers       NEEDS base model proofs crypto storage audit secrets authorization channel tls)
room(pilot         NEEDS base model                        LIBS CURL::libcurl seccomp)
room(runner        NEEDS base model proofs crypto storage audit authorization approvals servers TESTS secrets channel)
room(http          NEEDS base tls                          LIBS OpenSSL::SSL)
room(web           NEEDS base model proofs http crypto audit auth authorization approvals channel servers runner pilot tls)
room(agent         NEEDS base model crypto channel         LIBS OpenSSL::SSL protobuf::libprotobuf wire_proto systemd seccomp cap-ng TESTS proofs storage audit verifier)
room(cli           NEEDS base model crypto                      LIBS CURL::libcurl CLI11::CLI11)
