// verifier/chunk.h (private): a fixed stretch of the log, checked by itself: places, bytes, and
// every node of the tree within it. Chunks are checked by several threads and then put together.
#pragma once
#include <vector>

#include "database.h"
#include "history.h"
#include "tree.h"

namespace caip::verifier {

inline constexpr unsigned kChunkLevel = 12;
inline constexpr std::uint64_t kChunk = std::uint64_t{1} << kChunkLevel;

struct Enrolled {  // a witness, as the log itself introduces it
  std::string server, key;
};

struct Said {  // a key's handing over, as an entry has it
  std::uint64_t index;
  std::string statement;
};

struct Chunk {
  std::vector<std::pair<unsigned, Digest>> parts;  // its complete subtrees, left to right
  History history;
  std::vector<Enrolled> witnesses;
  std::vector<Said> handovers;
  std::optional<Finding> broken;
};

class ChunkReader {  // one thread's
 public:
  explicit ChunkReader(sqlite3* db);
  Chunk read(std::uint64_t from, std::uint64_t count);

 private:
  Statement entries_, nodes_;
};

}  // namespace caip::verifier
