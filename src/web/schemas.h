// schemas.h: the shapes of the API's answers: JSON Schema (2020-12, as OpenAPI 3.1 has it) by
// name, written in schemas.json. A route names its own in Route::answer.
#pragma once
#include <string_view>

namespace caip::web {

std::string_view schemas_text();

}  // namespace caip::web
