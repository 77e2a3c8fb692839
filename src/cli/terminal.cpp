#include "terminal.h"

#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "base/text.h"

namespace caip::cli {
namespace {

std::size_t columns(std::string_view utf8) {
  return static_cast<std::size_t>(std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

class NoEcho {
 public:
  NoEcho() : was_set_(::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!was_set_) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    static_cast<void>(::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet));
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  ~NoEcho() {
    if (was_set_) static_cast<void>(::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_));
  }

 private:
  termios before_{};
  bool was_set_;
};

}  // namespace

void say(std::string_view line) { std::cerr << line << '\n'; }
void print(std::string_view line) { std::cout << line << '\n'; }
void print_json(const json::value& value) { std::cout << json::serialize(value) << '\n'; }
void print_piece(std::string_view text) { std::cout << text << std::flush; }

bool at_terminal() { return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1; }

Result<std::string> first_line_of_stdin() {
  std::string line;
  if (!std::getline(std::cin, line)) return fail(Code::invalid, "nothing on standard input");
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

Result<std::string> typed(std::string_view prompt, bool hidden) {
  if (!at_terminal()) return fail(Code::invalid, std::string(prompt) + " is missing, and there is no terminal to ask at");
  std::cerr << prompt << ": " << std::flush;
  if (!hidden) return first_line_of_stdin();
  const NoEcho quiet;
  auto line = first_line_of_stdin();
  std::cerr << '\n';
  return line;
}

bool confirmed(std::string_view question) {
  const auto answer = typed(std::string(question) + " [y/N]", false);
  return answer && (*answer == "y" || *answer == "Y" || *answer == "yes");
}

std::string table(const Row& head, const std::vector<Row>& rows) {
  std::vector<Row> all{head};
  for (const Row& row : rows) {
    Row& safe = all.emplace_back();
    for (const auto& cell : row) safe.push_back(shown(cell));
  }
  std::vector<std::size_t> widths(head.size(), 0);
  for (const Row& row : all)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  std::string out;
  for (const Row& row : all) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += row[i];
      if (i + 1 < row.size()) out.append(widths[i] - columns(row[i]) + 2, ' ');
    }
    out += '\n';
  }
  out.pop_back();
  return out;
}

std::string shown_lines(std::string_view text) {
  std::string out;
  for (;;) {
    const auto end = text.find_first_of("\n\t");
    out += shown(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += text[end];
    text.remove_prefix(end + 1);
  }
}

std::string whole_characters(std::string& pending) {
  for (std::size_t back = 0; back < std::min<std::size_t>(4, pending.size()); ++back) {
    const std::string_view head(pending.data(), pending.size() - back);
    if (!valid_utf8(head)) continue;
    std::string out(head);
    pending.erase(0, head.size());
    return out;
  }
  return pending.size() > 4 ? std::exchange(pending, {}) : std::string{};
}

Result<void> sure(const std::string& said, const std::string& question, const std::string& name) {
  if (said.empty() ? confirmed(question) : said == name) return {};
  return fail(Code::invalid, "nothing was changed; --confirm=" + name + " says yes without being asked");
}

}  // namespace caip::cli
