# The agent protocol: one .proto file, one generated library.
set(proto ${CMAKE_SOURCE_DIR}/src/channel/wire.proto)
set(proto_out ${CMAKE_BINARY_DIR}/generated/channel)
add_custom_command(OUTPUT ${proto_out}/wire.pb.cc ${proto_out}/wire.pb.h
  COMMAND ${CMAKE_COMMAND} -E make_directory ${proto_out}
  COMMAND protobuf::protoc --proto_path=${CMAKE_SOURCE_DIR}/src/channel --cpp_out=${proto_out} ${proto}
  DEPENDS ${proto} VERBATIM)
add_library(wire_proto STATIC ${proto_out}/wire.pb.cc ${proto_out}/wire.pb.h)
target_include_directories(wire_proto SYSTEM PUBLIC ${proto_out})
target_link_libraries(wire_proto PUBLIC protobuf::libprotobuf)
