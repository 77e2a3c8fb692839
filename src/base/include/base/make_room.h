// base/make_room.h: a bounded list, oldest first, of what people have begun and not finished. Nobody is refused
// for its being full: who has the most of one key loses their own oldest, and only a crowd of keys the oldest of all.
#pragma once
#include <algorithm>
#include <cstddef>
#include <list>

namespace caip {

// So that one more may be appended. `own` says which entries count as the newcomer's.
template <class T, class Own>
void make_room(std::list<T>& all, const Own& own, std::size_t most_of_one, std::size_t most) {
  if (std::ranges::count_if(all, own) >= static_cast<std::ptrdiff_t>(most_of_one)) all.erase(std::ranges::find_if(all, own));
  if (all.size() >= most) all.pop_front();
}

}  // namespace caip
