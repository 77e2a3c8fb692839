// The OpenAPI description, made from the route table, so that neither can be without the other.
#include <cctype>

#include "base/product.h"
#include "rest_path.h"
#include "schemas.h"
#include "web/roles.h"
#include "web/router.h"

namespace caip::web {
namespace {

json::object schema_of(const std::string& type) { return json::object{{"type", type}}; }

json::object reference(const std::string& shape) { return json::object{{"$ref", "#/components/schemas/" + shape}}; }

json::object answer_schema(const Route& route) {
  if (route.content_type != "application/json") return schema_of("string");
  if (!route.list) return reference(route.answer);
  return json::object{{"type", "object"}, {"required", json::array{"data", "next_cursor"}}, {"additionalProperties", false},
                      {"properties", json::object{{"data", json::object{{"type", "array"}, {"items", reference(route.answer)}}},
                                                  {"next_cursor", json::object{{"type", json::array{"string", "null"}}}}}}};
}

json::object content(const Route& route) {
  json::object out;
  out[route.content_type] = json::object{{"schema", answer_schema(route)}};
  for (const auto& type : route.other_types) out[type] = json::object{{"schema", schema_of("string")}};
  return out;
}

json::object body_schema(const std::vector<Field>& fields) {
  json::object properties;
  json::array required;
  for (const auto& f : fields) {
    properties[f.name] = schema_of(f.type);
    if (f.required) required.emplace_back(f.name);
  }
  return json::object{{"type", "object"}, {"properties", properties}, {"required", required}, {"additionalProperties", false}};
}

// OpenAPI has no word for a parameter that may hold slashes.
std::string path_of(const Route& route) {
  if (!route.path.ends_with(kRest)) return route.path;
  return route.path.substr(0, route.path.size() - kRest.size()) + "}";
}

json::array parameters(const Route& route) {
  json::array out;
  const std::string path = path_of(route);
  std::string_view rest = path;
  for (auto open = rest.find('{'); open != std::string_view::npos; open = rest.find('{')) {
    rest.remove_prefix(open + 1);
    out.push_back(json::object{{"name", rest.substr(0, rest.find('}'))}, {"in", "path"}, {"required", true}, {"schema", schema_of("string")}});
  }
  for (const auto& f : route.query)
    out.push_back(json::object{{"name", f.name}, {"in", "query"}, {"required", f.required}, {"schema", schema_of(f.type)}});
  if (route.permission)
    out.push_back(json::object{{"name", "Caip-Organization"}, {"in", "header"}, {"required", false},
                               {"description", "the organisation that the caller believes to act in; 412 when it is another one by now"}, {"schema", schema_of("string")}});
  if (route.idempotency_key)
    out.push_back(json::object{{"name", "Idempotency-Key"}, {"in", "header"}, {"required", true},
                               {"description", "a quoted string; the same key gives the same answer for a day"}, {"schema", schema_of("string")}});
  if (route.if_match)
    out.push_back(json::object{{"name", "If-Match"}, {"in", "header"}, {"required", true},
                               {"description", "the quoted version that was read"}, {"schema", schema_of("string")}});
  return out;
}

json::object operation(const Route& route) {
  json::object o{{"operationId", route.operation}, {"summary", route.summary}, {"parameters", parameters(route)}};
  if (route.permission) {
    o["x-permission"] = text(*route.permission);
    o["x-roles"] = roles_of(*row_of(*route.permission));
    o["x-api-token"] = row_of(*route.permission)->token || route.tokens_too;
    o["security"] = json::array{json::object{{"cookie", json::array{}}}, json::object{{"bearer", json::array{}}}};
  } else {
    o["security"] = json::array{};
  }
  if (!route.body.empty())
    o["requestBody"] = json::object{{"required", true}, {"content", json::object{{"application/json", json::object{{"schema", body_schema(route.body)}}}}}};
  json::object success{{"description", "done"}};
  if (route.success != 204) success["content"] = content(route);
  json::object responses;
  responses[std::to_string(route.success)] = success;
  if (!route.accepted.empty())
    responses["202"] = json::object{{"description", "one more step is owed"}, {"content", json::object{{"application/json", json::object{{"schema", reference(route.accepted)}}}}}};
  responses["default"] = json::object{{"$ref", "#/components/responses/Problem"}};
  o["responses"] = responses;
  return o;
}

json::object components() {
  static const json::value schemas = json::parse(schemas_text());
  json::object content{{"application/problem+json", json::object{{"schema", reference("Problem")}}}};
  return json::object{
      {"schemas", schemas},
      {"responses", json::object{{"Problem", json::object{{"description", "refused or failed (RFC 9457)"}, {"content", content}}}}},
      {"securitySchemes", json::object{{"cookie", json::object{{"type", "apiKey"}, {"in", "cookie"}, {"name", kSessionCookie}}},
                                       {"bearer", json::object{{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"}}}}}};
}

}  // namespace

json::object openapi(const std::vector<Route>& routes) {
  json::object paths;
  for (const auto& route : routes) {
    auto& item = paths[path_of(route)];
    if (!item.is_object()) item = json::object();
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    item.as_object()[method] = operation(route);
  }
  return json::object{{"openapi", "3.1.0"}, {"info", json::object{{"title", kProductName}, {"version", kVersion}}},
                      {"paths", paths}, {"components", components()}};
}

}  // namespace caip::web
