#include "handlers/routes.hpp"

#include "handlers/page.hpp"

#include <algorithm>
#include <cctype>

namespace coursegate::sandbox {

namespace {

// A browser's /favicon.ico is not a call to the player.
bool is_player_path(const http::request& r)
{
    const auto code = r.path_parameters.find("code");
    return code == r.path_parameters.end() ||
           (code->second.size() == 8 &&
               std::ranges::all_of(code->second, [](unsigned char c) { return std::isalnum(c) != 0; }));
}

async::task<http::response> nothing_here()
{
    co_return http::response::error(404, "not_found", "nothing is played at this address");
}

} // namespace

std::vector<http::route> routes(
    stage& st, stepik_api& stepik, boomstream_api& boomstream, const control_api& control)
{
    // Both services live below /api and are told apart by the object's name.
    const auto api_get = [&](http::request& r) {
        const auto object = r.path_parameters.find("object")->second;
        if (boomstream_api::has_object(object))
            return st.play(target::boomstream, r, [&](answering& a) { return boomstream.call(r, a); });
        return st.play(target::stepik, r, [&](answering& a) { return stepik.get(r, a); });
    };
    const auto api_post = [&](http::request& r) {
        const auto object = r.path_parameters.find("object")->second;
        if (boomstream_api::has_object(object))
            return st.play(target::boomstream, r, [&](answering& a) { return boomstream.call(r, a); });
        return st.play(target::stepik, r, [&](answering& a) { return stepik.post(r, a); });
    };
    const auto token = [&](http::request& r) {
        return st.play(target::stepik, r, [&](answering& a) { return stepik.token(r, a); });
    };
    const auto authorize = [&](http::request& r) {
        return st.play(target::stepik, r, [&](answering& a) { return stepik.authorize(r, a); });
    };
    const auto player = [&](http::request& r) {
        if (!is_player_path(r))
            return nothing_here();
        return st.play(target::boomstream, r, [&](answering& a) { return boomstream.player(r, a); });
    };
    const auto config = [&](http::request& r) {
        if (!is_player_path(r))
            return nothing_here();
        return st.play(target::boomstream, r, [&](answering& a) { return boomstream.config(r, a); });
    };

    auto out = control.routes();
    for (auto& r : page_routes())
        out.push_back(std::move(r));

    out.push_back({"POST", "/oauth2/token/", token});
    out.push_back({"GET", "/oauth2/authorize/", authorize});
    out.push_back({"POST", "/oauth2/authorize/", authorize});
    for (const auto* pattern : {"/api/{object}", "/api/{object}/", "/api/{object}/{item}",
             "/api/{object}/{item}/", "/api/{object}/{item}/{action}"})
    {
        out.push_back({"GET", pattern, api_get});
        out.push_back({"POST", pattern, api_post});
    }
    out.push_back({"GET", "/player.html", player});
    out.push_back({"GET", "/{code}", player});
    out.push_back({"GET", "/{code}/config", config});
    return out;
}

http::server_settings server_settings(const std::string& host, int port)
{
    http::server_settings out;
    out.host = host;
    out.port = port;
    out.header_limit = 256 * 1024;
    out.body_limit = 32 * 1024 * 1024;
    out.handler_deadline = std::chrono::hours(1);
    out.metrics_name = "sandbox";
    out.access_log = false;
    out.security_headers = false; // the services played do not send ours; the page sets its own
    return out;
}

} // namespace coursegate::sandbox
