// pilot/tools.h: what the pilot may call, said once. The planner, the prompt and the room that
// carries calls out (runner) go by this list; a name that is not in it is never carried out.
//
//   list_servers           {}                                  -> {"servers":[{"id","name","online","last_seen","environment","access"}]}
//   list_services          {"server"}                          -> {"services":[{"unit","description","load","active","sub","file_state","control"}]}
//   service_status         {"server","unit"}                   -> {"status":"text as systemd has it"}
//   read_journal           {"server","unit","lines"}           -> {"lines":"text"}   lines: 1 to 200
//   list_processes         {"server"}                          -> {"processes":[…],"left_out"}  as in web/schemas.json, at most 100
//   list_sockets           {"server"}                          -> {"sockets":[…],"left_out"}    at most 200
//   list_disks             {"server"}                          -> {"disks":[…],"left_out"}
//   list_sites             {"server"}                          -> {"sites":[…],"left_out"}
//   propose_service_action {"server","unit","action","intent"} -> {"approval_id","state","impact"}
//                          action: "start" | "stop" | "restart"; unit: what model/units.h lets be controlled
//   propose_plan           {"intent","steps":[{"server","unit","action","intent"}]} -> {"plan_id","steps","state"}   1 to 20 steps, in their order
// "access": "full", or "read" where nothing may be proposed; servers that are shut to the AI are in no answer.
// "server" is a server's name or id; "unit" may lack ".service". A call that fails answers
// {"error":"text for a person"}. "control" is "no" for a unit that nobody starts, stops or restarts. A proposal only opens an approval; a human decides.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/json.h"

namespace caip::pilot {

struct Tool {
  std::string_view name;
  std::string_view description;
  std::string_view parameters;  // JSON Schema
};
// What a turn is offered: the tools that only look, where an organisation's AI may propose no changes (reads) and in a
// conversation that is in Ask mode (asks); or all.
enum class Offer : std::uint8_t { reads, all, asks };
std::span<const Tool> tools(Offer) noexcept;
std::span<const std::string_view> proposable() noexcept;  // names of the operations that those tools can propose

// The arguments of a call, checked against the tool's schema: known members only, all of them
// there, of the right type. The answer to a bad one goes back to the model as text. Code::not_found: it is not on offer.
Result<json::object> checked_arguments(std::string_view tool, std::string_view arguments, Offer);

}  // namespace caip::pilot
