// Reading a table of the configuration file: what nobody asked for is an error.
#pragma once
#include <set>
#include <string>
#include <toml++/toml.hpp>
#include <vector>

#include "base/result.h"

namespace caip::main {

class TomlReader {
 public:
  explicit TomlReader(const toml::table& table, std::string prefix = {}) : table_(table), prefix_(std::move(prefix)) {}
  void text(const char* key, std::string& to) {
    seen_.insert(key);
    const auto* node = table_.get(key);
    if (!node) return;
    if (auto value = node->value<std::string>()) to = *value;
    else wrong_ = prefix_ + key + " must be text";
  }
  void texts(const char* key, std::vector<std::string>& to) {
    seen_.insert(key);
    const auto* array = table_.get_as<toml::array>(key);
    if (table_.get(key) && !array) wrong_ = prefix_ + key + " must be a list of texts";
    if (!array) return;
    for (const auto& item : *array) {
      if (auto value = item.value<std::string>()) to.push_back(*value);
      else wrong_ = prefix_ + key + " must be a list of texts";
    }
  }
  void integer(const char* key, std::int64_t& to) {
    seen_.insert(key);
    const auto* node = table_.get(key);
    if (!node) return;
    if (auto value = node->value_exact<std::int64_t>()) to = *value;
    else wrong_ = prefix_ + key + " must be a whole number";
  }
  void integers(const char* key, std::vector<std::int64_t>& to) {
    seen_.insert(key);
    const auto* array = table_.get_as<toml::array>(key);
    if (table_.get(key) && !array) wrong_ = prefix_ + key + " must be a list of whole numbers";
    if (!array) return;
    for (const auto& item : *array) {
      if (auto value = item.value_exact<std::int64_t>()) to.push_back(*value);
      else wrong_ = prefix_ + key + " must be a list of whole numbers";
    }
  }
  const toml::table* table(const char* key) {
    seen_.insert(key);
    const auto* table = table_.get_as<toml::table>(key);
    if (table_.get(key) && !table) wrong_ = prefix_ + key + " must be a table";
    return table;
  }
  Result<void> finish() const {
    if (!wrong_.empty()) return fail(Code::invalid, wrong_);
    for (const auto& [key, node] : table_)
      if (!seen_.contains(std::string(key.str()))) return fail(Code::invalid, "unknown setting " + prefix_ + std::string(key.str()));
    return {};
  }

 private:
  const toml::table& table_;
  std::string prefix_;
  std::set<std::string> seen_;
  std::string wrong_;
};

}  // namespace caip::main
