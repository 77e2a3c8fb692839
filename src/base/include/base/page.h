// base/page.h: one page of a list. Every list has an order; a Place names an item by what it is
// ordered by, so that a page begins right behind it, whatever was added or removed meanwhile.
#pragma once
#include <algorithm>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace caip {

struct Place {
  std::int64_t number = 0;  // a time, where the list is ordered by one
  std::string id;           // tells items of the same number apart
  auto operator<=>(const Place&) const = default;
};

struct PageAsk {
  std::size_t limit = 50;
  std::optional<Place> after;  // of the page before
};

template <class T>
struct Page {
  std::vector<T> items;
  bool more = false;
};

// From one item more than was asked for.
template <class T>
Page<T> page_of(std::vector<T> found, const PageAsk& ask) {
  const bool more = found.size() > ask.limit;
  if (more) found.erase(found.begin() + static_cast<std::ptrdiff_t>(ask.limit), found.end());
  return {std::move(found), more};
}

// Of a list that is whole and in memory; `place` gives an item's Place.
template <class T, class PlaceOf>
Page<T> page_of(std::vector<T> whole, const PageAsk& ask, const PlaceOf& place) {
  std::ranges::sort(whole, {}, place);
  const auto from = ask.after ? std::ranges::upper_bound(whole, *ask.after, {}, place) : whole.begin();
  whole.erase(whole.begin(), from);
  return page_of(std::move(whole), ask);
}

}  // namespace caip
