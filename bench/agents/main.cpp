// agents PORT CA-FILE FOLDER: the load generator. Takes commands on stdin, one a line, and answers
// each with one line of JSON; orders that arrive are lines of their own.
//   enrol N TOKEN-FILE   certificates up to N, through the public API, as the owner of the session token in the file
//   connect N            N agents connected and greeted; answers when they are, or after 120 s
//   aim PORT verified|bare
//   stats | hang-up | quit
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <sstream>

#include "fleet.h"

namespace {

using caip::bench::Fleet;

void print(const Fleet& fleet, double seconds) {
  const auto& s = fleet.stats();
  std::printf("{\"event\":\"done\",\"seconds\":%.3f,\"enrolled\":%zu,\"wanted\":%zu,\"up\":%zu,\"lost\":%llu,\"refused\":%llu,\"reports\":%llu,\"orders\":%llu,\"pings\":%llu}\n",
              seconds, s.enrolled, s.wanted, s.up, static_cast<unsigned long long>(s.lost), static_cast<unsigned long long>(s.refused),
              static_cast<unsigned long long>(s.reports), static_cast<unsigned long long>(s.orders), static_cast<unsigned long long>(s.pings));
  std::fflush(stdout);
}

bool obey(Fleet& fleet, const std::string& line) {
  std::istringstream words(line);
  std::string command, word;
  std::size_t number = 0;
  words >> command;
  const auto began = Fleet::Clock::now();
  const auto passed = [&] { return std::chrono::duration<double>(Fleet::Clock::now() - began).count(); };
  if (command == "quit") return false;
  if (command == "enrol" && words >> number >> word) {
    std::ifstream file(word);
    std::string token;
    file >> token;
    fleet.enrol(number, token);
  } else if (command == "connect" && words >> number) {
    fleet.want(number);
    while (!fleet.settled() && passed() < 120) fleet.turn(-1, 100);
  } else if (command == "aim" && words >> number >> word) {
    fleet.aim(static_cast<int>(number), word == "verified");
  } else if (command == "hang-up") {
    fleet.want(0);
    fleet.hang_up();
  } else if (command != "stats") {
    caip::bench::die("unknown command: " + line);
  }
  print(fleet, passed());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) caip::bench::die("usage: agents PORT CA-FILE FOLDER");
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Fleet fleet(std::atoi(argv[1]), argv[2], argv[3]);
  std::string input;
  for (;;) {
    fleet.turn(STDIN_FILENO, 1000);
    pollfd in{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (::poll(&in, 1, 0) <= 0) continue;
    char buffer[1024];
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n <= 0) return 0;
    input.append(buffer, static_cast<std::size_t>(n));
    for (auto end = input.find('\n'); end != std::string::npos; end = input.find('\n')) {
      const std::string line = input.substr(0, end);
      input.erase(0, end + 1);
      if (!obey(fleet, line)) return 0;
    }
  }
}
