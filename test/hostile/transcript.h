// transcript.h: one conversation with a hostile model, and what hostile or hasty people and machines make of its cards.
#pragma once
#include "model.h"
#include "world.h"

namespace caip::hostile {

struct Tally {
  std::size_t transcripts = 0, turns = 0, cards = 0, yeses = 0, refused_yeses = 0, stops = 0, replays = 0, races = 0, flips = 0, tampered = 0;
};

class Transcript {
 public:
  Transcript(World&, Model&, std::uint64_t seed, Tally&);
  void run();

 private:
  using Card = approvals::Approval;
  void talk();
  void before();
  void while_it_speaks();
  void collect();
  void act();
  void attempt();
  void attempt(Person&, const Card&, const Digest&, bool step_up);
  void as_pilot(const Card&);
  void deny();
  void right_way();
  void go(const Card&);
  void flip();
  void race();
  void replay();
  void bend(channel::SignedOrder&);
  void tamper();
  void wait();
  void look();    // at the cards in the database: what ended never runs
  void end();
  Person& anybody();
  const Card& any() { return cards_.at(dice_.below(cards_.size())); }

  World& w_;
  Model& model_;
  Dice dice_;
  std::uint64_t seed_;
  Tally& tally_;
  Person* asker_ = nullptr;
  PilotMode mode_ = PilotMode::plan;
  std::optional<ConversationId> talk_;
  std::vector<Card> cards_;
  std::vector<channel::SignedOrder> sent_;
};

}  // namespace caip::hostile
