// model.h: the model behind the Pilot: plays a script, through the product's own wire, request and stream code, and looks at
// every byte that a provider would have been sent.
#pragma once
#include <atomic>
#include <functional>

#include "oracle.h"
#include "pilot/client.h"
#include "words.h"

namespace caip::hostile {

struct Script {
  AiVendor vendor = AiVendor::openai_compatible;
  // The turn's number, and what it is answered with.
  std::function<Said(std::size_t turn, std::span<const pilot::Message>)> say;
  std::uint64_t seed = 0;
  std::size_t damage = 0;                  // one stream in so many is damaged; 0: none
  std::function<void(std::size_t)> while_it_speaks = {};  // something happens elsewhere before the turn is over
};

class Model final : public pilot::PilotClient {
 public:
  void play(Script script);
  void watch(Oracle* oracle, std::function<std::vector<std::string>()> never) { oracle_ = oracle, never_ = std::move(never); }
  std::size_t turns() const { return turns_; }
  std::size_t bodies() const { return bodies_; }
  bool quiet() const { return speaking_ == 0; }

  pilot::About about() const override { return pilot::about(pilot::Provider{.base_url = "https://model.example/v1", .model = "hostile-1", .api_key_file = {}}); }
  Result<pilot::Turn> turn(std::span<const pilot::Message>, const pilot::Terms&) override;
  Result<std::vector<std::string>> models(const pilot::Provider&, const pilot::SendKey&) override { return std::vector<std::string>{"hostile-1"}; }
  void stop() override { stopped_ = true; }

 private:
  Result<pilot::Turn> speak(std::span<const pilot::Message>, const pilot::Terms&);
  void look(const std::string& body, std::span<const pilot::Message>, const std::string& key);
  Script script_;
  Oracle* oracle_ = nullptr;
  std::function<std::vector<std::string>()> never_;
  std::atomic<std::size_t> turns_ = 0, bodies_ = 0, speaking_ = 0;
  std::atomic<bool> stopped_ = false;
};

}  // namespace caip::hostile
