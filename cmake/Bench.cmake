# Benchmarks are not part of `all`: `make bench` builds them, for release.
add_executable(core_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/core_bench.cpp)
room_sees(core_bench base model proofs crypto storage audit secrets authorization)
target_link_libraries(core_bench PRIVATE audit secrets authorization warn_interface harden_interface Threads::Threads)
add_executable(handshakes EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/handshakes.cpp)
target_link_libraries(handshakes PRIVATE OpenSSL::SSL warn_interface Threads::Threads)
# The load generator speaks the agent's protocol with the agent's own code.
add_executable(agents EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/agents/main.cpp ${CMAKE_SOURCE_DIR}/bench/agents/fleet.cpp
  ${CMAKE_SOURCE_DIR}/bench/agents/https.cpp)
room_sees(agents base model crypto channel agent)
target_link_libraries(agents PRIVATE agent warn_interface harden_interface)
foreach(peer bare_server reads)
  add_executable(${peer} EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/${peer}.cpp)
  target_link_libraries(${peer} PRIVATE OpenSSL::SSL warn_interface)
endforeach()
add_executable(log_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/log_bench.cpp)
room_sees(log_bench base model proofs crypto storage audit authorization verifier)
target_link_libraries(log_bench PRIVATE audit authorization verifier warn_interface harden_interface Threads::Threads)
