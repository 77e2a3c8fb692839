# Flags live in these interface libraries and nowhere else.
add_library(warn_interface INTERFACE)
target_compile_options(warn_interface INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wsign-conversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wnull-dereference
  -Wimplicit-fallthrough $<$<BOOL:${CAIP_WERROR}>:-Werror> -Wno-null-dereference)

add_library(harden_interface INTERFACE)
target_compile_options(harden_interface INTERFACE -fstack-protector-strong -fstack-clash-protection
  -fcf-protection=full -ftrivial-auto-var-init=zero -fno-omit-frame-pointer
  $<$<CONFIG:Release,RelWithDebInfo>:-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3>)
target_compile_definitions(harden_interface INTERFACE _GLIBCXX_ASSERTIONS)
target_link_options(harden_interface INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack,-z,separate-code)

add_library(sanitize_interface INTERFACE)
if(CAIP_SANITIZE)
  target_compile_options(sanitize_interface INTERFACE -fsanitize=${CAIP_SANITIZE} -fno-sanitize-recover=all -g)
  # g++ warns that TSan does not know the fences in Boost.Asio; they are not ours to change.
  if(CAIP_SANITIZE MATCHES thread AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(sanitize_interface INTERFACE -Wno-tsan)
  endif()
  # g++ sees a change of sign in what UBSan makes of a shift; the other presets look for real ones.
  if(CAIP_SANITIZE MATCHES undefined AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
    target_compile_options(sanitize_interface INTERFACE -Wno-sign-conversion)
  endif()
  # It takes Asio's own use_future for uninitialised, where this test uses it, once ASan's code is between.
  set_source_files_properties(${CMAKE_SOURCE_DIR}/src/tls/stream_test.cpp PROPERTIES COMPILE_OPTIONS -Wno-maybe-uninitialized)
  target_link_options(sanitize_interface INTERFACE -fsanitize=${CAIP_SANITIZE})
endif()

add_library(crypt INTERFACE)
target_link_libraries(crypt INTERFACE -lcrypt)
add_library(systemd INTERFACE)
target_link_libraries(systemd INTERFACE -lsystemd)
add_library(seccomp INTERFACE)
target_link_libraries(seccomp INTERFACE -lseccomp)
add_library(cap-ng INTERFACE)
target_link_libraries(cap-ng INTERFACE -lcap-ng)
find_package(rapidcheck CONFIG QUIET)
if(NOT TARGET rapidcheck)
  add_library(rapidcheck INTERFACE)
  target_link_libraries(rapidcheck INTERFACE -lrapidcheck)
endif()
