#include "completion.h"

#include <CLI/CLI.hpp>

#include <vector>

namespace caip::cli {
namespace {

struct Entry {
  std::string path;   // "caip server"
  std::string words;  // what may follow
};

void collect(const CLI::App& app, const std::string& path, std::vector<Entry>& out) {
  std::string words;
  for (const CLI::App* sub : app.get_subcommands({})) words += sub->get_name() + " ";
  for (const CLI::Option* option : app.get_options())
    for (const auto& name : option->get_lnames()) words += "--" + name + " ";
  if (words.ends_with(' ')) words.pop_back();
  out.push_back({path, words});
  for (const CLI::App* sub : app.get_subcommands({})) collect(*sub, path + " " + sub->get_name(), out);
}

// Shared by bash and zsh (through bashcompinit): the longest known path, then its words.
std::string bash(const std::vector<Entry>& entries) {
  std::string out = "_caip() {\n  local cur=${COMP_WORDS[COMP_CWORD]} path= next= words= w i\n  for ((i = 0; i < COMP_CWORD; i++)); do\n"
                    "    w=${COMP_WORDS[i]}; [ $i = 0 ] && w=caip; next=\"${path:+$path }$w\"\n    case $next in\n";
  for (const auto& e : entries) out += "      '" + e.path + "') path=$next; words='" + e.words + "' ;;\n";
  return out + "    esac\n  done\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F _caip caip\n";
}

std::string fish(const std::vector<Entry>& entries) {
  std::string out = "function __caip_path\n  set -l path\n  for w in (commandline -opc)\n    set -l next (string trim \"$path \"(basename -- $w))\n    switch $next\n";
  for (const auto& e : entries) out += "      case '" + e.path + "'; set path $next\n";
  out += "    end\n  end\n  echo $path\nend\n";
  for (const auto& e : entries)
    out += "complete -c caip -n 'test (__caip_path) = \"" + e.path + "\"' -a '" + e.words + "'\n";
  return out;
}

}  // namespace

Result<std::string> completion(const CLI::App& app, std::string_view shell) {
  std::vector<Entry> entries;
  collect(app, "caip", entries);
  if (shell == "bash") return bash(entries);
  if (shell == "zsh") return "#compdef caip\nautoload -U +X bashcompinit && bashcompinit\n" + bash(entries);
  if (shell == "fish") return fish(entries);
  return fail(Code::invalid, "completion knows bash, zsh and fish");
}

}  // namespace caip::cli
