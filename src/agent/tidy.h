// agent/tidy.h: what this machine says, made fit to send. proto3 strings are UTF-8 or the whole
// message is refused at the other end, and a frame holds 1 MiB; log lines, unit names and
// descriptions are whatever somebody wrote.
#pragma once
#include <string>
#include <string_view>

namespace caip::wire { class OrderResult; class Unit; class UnitList; }

namespace caip::agent {

inline constexpr std::size_t kMaxUnitText = 256;
inline constexpr std::size_t kMaxLine = 4096;

std::string tidy(std::string_view, std::size_t max_bytes);  // valid UTF-8, cut between code points; never longer than max_bytes
void tidy(wire::Unit&);
void tidy(wire::UnitList&);     // fits a frame: the last ones go
void tidy(wire::OrderResult&);  // fits a frame: the oldest lines go

}  // namespace caip::agent
