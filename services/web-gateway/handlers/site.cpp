#include "handlers/site.hpp"

#include "coursegate/log/log.hpp"

#include <algorithm>

namespace coursegate::web_gateway {

async::task<http::response> asset_route(gateway& g, http::request& request)
{
    auto found = g.pages.find_asset(request.path_parameters.at("file"));
    if (!found)
        co_return g.pages.problem(404, reader_of(request));
    co_return std::move(*found);
}

async::task<http::response> language_route(gateway& g, http::request& request)
{
    const auto fields = http::query::parse(request.body);
    const auto chosen = fields.get("lang").value_or("");
    if (std::find(languages.begin(), languages.end(), chosen) == languages.end())
        co_return g.pages.problem(404, reader_of(request));
    auto out = http::response::redirect(local_path(fields.get("back").value_or("/")));
    // Nothing secret, so it also works where the site is reached without TLS.
    out.headers.set("Set-Cookie", "lang=" + chosen + "; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax");
    out.headers.set("Cache-Control", "no-store");
    co_return out;
}

std::string local_path(std::string path)
{
    // "//evil.example" and "/\evil.example" lead a browser elsewhere.
    const bool is_local =
        path.starts_with('/') && !path.starts_with("//") && std::all_of(path.begin(), path.end(), [](char c) {
            return c > ' ' && c != '\\' && static_cast<unsigned char>(c) < 0x7f;
        });
    return is_local ? path : "/";
}

void word_refusal(const pages& site, const http::request& request, http::response& answer)
{
    const auto is_for_machines = [&](std::string_view path) {
        return path == "/healthz" || path == "/v1" || path.starts_with("/v1/");
    };
    if (is_for_machines(request.path) ||
        request.headers.get("Accept").value_or("").find("text/html") == std::string::npos)
        return;
    try {
        auto page = site.problem(answer.status, reader_of(request));
        page.headers.set("Cache-Control", "no-store");
        for (const auto* name : {"Allow", "Retry-After"})
            if (const auto value = answer.headers.get(name))
                page.headers.set(name, *value);
        answer = std::move(page);
    }
    catch (const std::exception& e) {
        request.log.error("the page of a refusal could not be made", {{"detail", e.what()}});
    }
}

} // namespace coursegate::web_gateway
