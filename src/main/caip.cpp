// caip: the command line.
#include "audit/verify.h"
#include "base/bytes.h"
#include "cli/run.h"

namespace {

caip::Result<caip::cli::Verified> verify(const std::filesystem::path& data, const std::optional<std::string>& checkpoint) {
  CAIP_TRY(report, caip::audit::verify_data_dir(data, checkpoint));
  caip::cli::Verified out{.entries = report.entries, .root = caip::hex(report.root), .broken = {}, .broken_index = {}, .checkpoint = report.checkpoint};
  if (report.broken) {
    out.broken = report.broken->what;
    out.broken_index = report.broken->index;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) { return caip::cli::run(argc, argv, verify); }
