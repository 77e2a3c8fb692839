# Conversations with a model that means harm, against the whole control plane in one process (test/hostile). 20,000 here, a million
# with `make hostile`.
file(GLOB hostile_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/test/hostile/*.cpp)
set(hostile_rooms base model proofs crypto storage audit secrets outbox places outbound federation passkeys vault notifications auth authorization approvals channel servers sites runner
    pilot tls http web agent)
add_executable(hostile ${hostile_sources})
# The pilot's readers, the agents' messages and the form of access tokens are private to their rooms.
target_include_directories(hostile PRIVATE ${CMAKE_SOURCE_DIR}/src/main ${CMAKE_SOURCE_DIR}/src/pilot ${CMAKE_SOURCE_DIR}/src/channel ${CMAKE_SOURCE_DIR}/src/auth)
room_sees(hostile ${hostile_rooms})
target_link_libraries(hostile PRIVATE ${hostile_rooms} tomlplusplus::tomlplusplus CLI11::CLI11 wire_proto warn_interface sanitize_interface Threads::Threads)
add_test(NAME hostile.transcripts COMMAND hostile --count 20000)
add_test(NAME hostile.injection COMMAND hostile --injection ${CMAKE_SOURCE_DIR}/test/data/injection.json)
set_tests_properties(hostile.transcripts hostile.injection PROPERTIES TIMEOUT 1500 ENVIRONMENT "CAIP_SOURCE=${CMAKE_SOURCE_DIR}")
