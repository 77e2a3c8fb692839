// placements.h: the rows of `env_placements`: which version of which secret an order put (or may have put) into which
// user's file on which server. Made with the order, changed with its outcome. And of `env_orders`: which order about a
// file has not ended. There is one at most, so that the answers come in the order of the orders: a late one to a removal
// would else take a newer placing from the list. Private.
#pragma once
#include <vector>

#include "servers/types.h"
#include "storage/tx.h"

namespace caip::servers::placements {

enum class Certainty : std::uint8_t { certain, doubtful };  // whether what the operation ended as is all that happened

// Nothing for other actions. Code::conflict while another order about this file has not ended.
Result<void> begun(storage::WriteTx&, const Operation&);
// What ended without success and with doubt may be as before or as it was to be: all of its file is `unknown`.
Result<void> ended(storage::WriteTx&, const Operation&, Certainty);
// Another machine may stand in the server's place.
Result<void> doubt(storage::WriteTx&, const ServerId&);
Result<std::vector<Placement>> on(storage::Reader&, const ServerId&);  // by user, then time

}  // namespace caip::servers::placements
