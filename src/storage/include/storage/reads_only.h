// storage/reads_only.h: while one lives, its thread changes nothing but the log: WriteTx::exec() fails. What handles a
// GET holds one, so that no page of another site and no mail scanner changes anything by fetching an address.
#pragma once

namespace caip::storage {

class [[nodiscard]] ReadsOnly final {
 public:
  ReadsOnly() noexcept { ++depth(); }
  ReadsOnly(const ReadsOnly&) = delete;
  ReadsOnly& operator=(const ReadsOnly&) = delete;
  ~ReadsOnly() { --depth(); }
  static bool here() noexcept { return depth() > 0; }

 private:
  static int& depth() noexcept {
    thread_local int held = 0;
    return held;
  }
};

}  // namespace caip::storage
