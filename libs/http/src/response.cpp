#include "coursegate/http/server.hpp"

#include <nlohmann/json.hpp>

namespace coursegate::http {

response response::json(int status, const nlohmann::json& body)
{
    // `replace`: a title that is not UTF-8 somewhere in the data must not turn the answer into a 500.
    return text(status, body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
        "application/json; charset=utf-8");
}

response response::text(int status, std::string body, std::string content_type)
{
    response out;
    out.status = status;
    out.body = std::move(body);
    out.headers.set("Content-Type", std::move(content_type));
    return out;
}

response response::html(int status, std::string body)
{
    return text(status, std::move(body), "text/html; charset=utf-8");
}

response response::redirect(std::string location, int status)
{
    response out;
    out.status = status;
    out.headers.set("Location", std::move(location));
    return out;
}

response response::error(int status, std::string slug, std::string message, std::string field)
{
    nlohmann::json body = {{"error", std::move(slug)}, {"message", std::move(message)}};
    if (!field.empty())
        body["field"] = std::move(field);
    return json(status, body);
}

} // namespace coursegate::http
