#include "target.hpp"

#include "router.hpp"

using namespace coursegate;

void fuzz(std::string_view bytes)
{
    static const http::router table(
        std::vector<http::route>{{"GET", "/v1/grants/stream", {}}, {"GET", "/v1/grants/{id}", {}},
            {"POST", "/v1/users/{id}/roles", {}}, {"GET", "/play/{secret_id}", {}},
            {"DELETE", "/v1/courses/{course_id}/lessons/{lesson_id}", {}}, {"GET", "/", {}}});
    if (bytes.find('\0') != bytes.npos)
        return; // the server refuses such a request before it looks for a route
    const auto space = bytes.find(' ');
    const auto method = bytes.substr(0, space);
    const auto path = space == bytes.npos ? std::string_view("/") : bytes.substr(space + 1);
    const auto found = table.find(method, path);
    if (found.found == nullptr)
        return;
    must(found.allow.empty(), "a path that is found is not also refused");
    must(method == found.found->method || method == "HEAD", "only HEAD is answered by another method");
    for (const auto& [name, value] : found.parameters)
        must(!value.empty() && value.find('\0') == value.npos, "a parameter is there and has no zero byte");
}
