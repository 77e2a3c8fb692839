# Benchmarks are not part of `all`: `make bench` builds them, for release.
add_executable(core_bench EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/core_bench.cpp)
room_sees(core_bench base model proofs crypto storage audit secrets authorization)
target_link_libraries(core_bench PRIVATE audit secrets authorization warn_interface harden_interface Threads::Threads)
add_executable(handshakes EXCLUDE_FROM_ALL ${CMAKE_SOURCE_DIR}/bench/handshakes.cpp)
target_link_libraries(handshakes PRIVATE OpenSSL::SSL warn_interface Threads::Threads)
