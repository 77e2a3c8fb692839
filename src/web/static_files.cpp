#include "web/static_files.h"

#include "base/product.h"
#include "web/router.h"

namespace caip::web {
namespace {

constexpr const char* kPolicy =
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

std::string_view plain_page() {
  static const std::string page =
      "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>" + std::string(kProductName) + "</title><h1>" + std::string(kProductName) +
      "</h1><p>This build has no user interface. The API is at <a href=\"/api/v1/openapi.json\">/api/v1</a>; the command line client is <code>caip</code>.</p></html>";
  return page;
}

const char* type_of(std::string_view path) {
  struct { std::string_view end; const char* type; } constexpr kTypes[] = {
      {".html", "text/html; charset=utf-8"}, {".js", "text/javascript; charset=utf-8"}, {".css", "text/css; charset=utf-8"},
      {".svg", "image/svg+xml"}, {".png", "image/png"}, {".ico", "image/x-icon"}, {".woff2", "font/woff2"},
      {".json", "application/json"}, {".webmanifest", "application/manifest+json"}, {".txt", "text/plain; charset=utf-8"}};
  for (const auto& t : kTypes)
    if (path.ends_with(t.end)) return t.type;
  return "application/octet-stream";
}

const EmbeddedFile* find(std::string_view path) {
  for (const auto& file : embedded_files())
    if (file.path == path) return &file;
  return nullptr;
}

http::Response page(std::string_view path, std::string_view bytes) {
  http::Response r = text_reply(type_of(path), {});
  r.lasting = bytes;  // part of the program
  r.headers.emplace_back("Content-Security-Policy", kPolicy);
  // Built files carry a hash in their name; the page that names them is always asked for again.
  r.headers.emplace_back("Cache-Control", path.starts_with("/assets/") ? "public, max-age=31536000, immutable" : "no-cache");
  return r;
}

}  // namespace

http::Response serve_static(const http::Request& request) {
  if (request.method != "GET" && request.method != "HEAD") return http::problem(Error{Code::method_not_allowed, "only GET here"}, request.id);
  if (const auto* file = find(request.path)) return page(file->path, file->bytes);
  std::string_view name = std::string_view(request.path).substr(request.path.rfind('/') + 1);
  if (name.find('.') != std::string_view::npos || request.path.starts_with("/assets/"))
    return http::problem(Error{Code::not_found, "there is nothing here"}, request.id);
  if (const auto* index = find("/index.html")) return page(index->path, index->bytes);
  return page("/index.html", plain_page());
}

}  // namespace caip::web
