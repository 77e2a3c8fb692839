// terminal.h: what people see and type. Text from the server is escaped before it is printed.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace caip::cli {

void say(std::string_view line);    // stderr: for the person
void print(std::string_view line);  // stdout: the result
void print_json(const json::value&);
void print_piece(std::string_view);  // stdout, no line end, flushed
bool at_terminal();                 // stdin and stderr are one
bool confirmed(std::string_view question);
// A yes to what cannot be undone at once: --confirm=NAME, or asked for at the terminal.
Result<void> sure(const std::string& said, const std::string& question, const std::string& name);
Result<std::string> typed(std::string_view prompt, bool hidden);
Result<std::string> first_line_of_stdin();

using Row = std::vector<std::string>;
std::string table(const Row& head, const std::vector<Row>& rows);
// shown(), but line ends and tabs of text that has lines stay.
std::string shown_lines(std::string_view);
// As much of a stream as ends with a whole character; the rest stays in `pending`.
std::string whole_characters(std::string& pending);

}  // namespace caip::cli
