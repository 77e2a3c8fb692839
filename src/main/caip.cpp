// caip: the command line.
#include "cli/run.h"
#include "verifier/verifier.h"

namespace {

caip::Result<caip::cli::Verified> told(caip::Result<caip::verifier::Report> checked) {
  CAIP_TRY(report, std::move(checked));
  caip::cli::Verified out{.entries = report.entries, .size = report.size, .root = report.root, .broken = {}, .broken_index = {},
                          .checkpoint = report.checkpoint, .cosignatures = report.cosignatures, .complete = report.complete, .anchored = report.anchored};
  if (report.broken) {
    out.broken = report.broken->what;
    out.broken_index = report.broken->index;
  }
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  using caip::verifier::verify_bundle;
  using caip::verifier::verify_data_dir;
  using caip::verifier::verify_entry;
  return caip::cli::run(argc, argv, {.data_dir = [](const auto& data, const auto& kept) { return told(verify_data_dir(data, kept)); },
                                     .bundle = [](const auto& text, const auto& kept) { return told(verify_bundle(text, kept)); },
                                     .entry = [](const auto& entry, const auto& at, const auto& checkpoint) { return told(verify_entry(entry, {at.index, at.path}, checkpoint)); }});
}
