#include "browser.hpp"

#include "pages/pages.hpp"
#include "routes.hpp"

#include "coursegate/async/gate.hpp"
#include "coursegate/base/encoding.hpp"
#include "coursegate/http/client.hpp"

namespace coursegate::web_gateway::tests {
namespace {

http::client_settings patient()
{
    http::client_settings s;
    s.circuit_after = 1000; // tests cause 5xx on purpose
    s.connections_per_host = 64;
    return s;
}

std::string body_of(const fields& form)
{
    std::string out;
    for (const auto& [name, value] : form)
        out += (out.empty() ? "" : "&") + base::percent_encode(name) + "=" + base::percent_encode(value);
    return out;
}

constexpr const char* form_type = "application/x-www-form-urlencoded";

} // namespace

std::vector<std::string> seen_page::cookies() const
{
    std::vector<std::string> out;
    for (const auto& [name, value] : headers.all())
        if (name == "Set-Cookie" || name == "set-cookie")
            out.push_back(value);
    return out;
}

std::string seen_page::hidden(const std::string& name) const
{
    const auto field = "name=\"" + name + "\" value=\"";
    const auto at = text.find(field);
    INFO(text);
    REQUIRE(at != std::string::npos);
    const auto from = at + field.size();
    return text.substr(from, text.find('"', from) - from);
}

browser::browser(running_gateway& g, int port) : gateway_(g), port_(port == 0 ? g.port() : port) {}

http::client_request browser::request(const std::string& method, const std::string& target,
    const std::string& body, const header_list& headers) const
{
    http::client_request out;
    out.method = method;
    out.url = "http://127.0.0.1:" + std::to_string(port_) + target;
    out.body = body;
    out.headers.set("Accept", "text/html");
    out.headers.set("Accept-Language", "en");
    std::string kept;
    for (const auto& [name, value] : cookies)
        kept += (kept.empty() ? "" : "; ") + name + "=" + value;
    if (!kept.empty())
        out.headers.set("Cookie", kept);
    for (const auto& [name, value] : headers)
        out.headers.set(name, value);
    return out;
}

seen_page browser::send(
    const std::string& method, const std::string& target, const std::string& body, const header_list& headers)
{
    const auto wanted = request(method, target, body, headers);
    seen_page out;
    gateway_.run([&]() -> async::task<void> {
        http::client client(gateway_.executor(), patient());
        const auto answered = co_await client.send(wanted);
        if (!answered.has_value())
            throw std::runtime_error(method + " " + target + ": " + answered.error().detail);
        out.status = answered->status;
        out.headers = answered->headers;
        out.text = answered->body;
    });
    for (const auto& line : out.cookies()) {
        const auto equals = line.find('=');
        const auto name = line.substr(0, equals);
        const auto value = line.substr(equals + 1, line.find(';') - equals - 1);
        if (line.find("; Max-Age=0;") != std::string::npos)
            cookies.erase(name);
        else
            cookies[name] = value;
    }
    return out;
}

seen_page browser::get(const std::string& target, const header_list& headers)
{
    return send("GET", target, "", headers);
}

seen_page browser::post(const std::string& target, const fields& form, const header_list& headers)
{
    header_list all{{"Content-Type", form_type}};
    all.insert(all.end(), headers.begin(), headers.end());
    return send("POST", target, body_of(form), all);
}

std::vector<int> browser::post_together(const std::string& target, const fields& form, int count)
{
    const auto wanted = request("POST", target, body_of(form), {{"Content-Type", form_type}});
    std::vector<int> out(static_cast<std::size_t>(count));
    gateway_.run([&]() -> async::task<void> {
        http::client client(gateway_.executor(), patient());
        async::gate gate(gateway_.executor());
        for (auto& status : out)
            gate.spawn("post", [&]() -> async::task<void> {
                const auto answered = co_await client.send(wanted);
                status = answered.has_value() ? answered->status : 0;
            });
        co_await gate.close(false);
    });
    return out;
}

seen_page browser::sign_in(const std::string& email, const std::string& code, const std::string& next)
{
    const auto page = get(next.empty() ? std::string("/login") : "/login?next=" + base::percent_encode(next));
    REQUIRE(page.status == 200);
    fields form{{"csrf", page.hidden("csrf")}, {"email", email}, {"code", code}};
    if (!next.empty())
        form.emplace_back("next", next);
    return post("/login", form);
}

std::string browser::csrf()
{
    return get("/dashboard").hidden("csrf");
}

std::string browser::token() const
{
    const auto found = cookies.find("__Host-session");
    return found == cookies.end() ? std::string() : found->second;
}

struct second_gateway::impl
{
    impl(running_gateway& g, const std::vector<extra_route>& extra, const http::server_settings& settings)
        : db(g.executor(), g.settings()), shared{db, g.keys(), g.feed(), site, base::secret(token)},
          server(g.executor(), settings, all(extra))
    {}

    std::vector<http::route> all(const std::vector<extra_route>& extra)
    {
        auto out = routes(shared);
        for (const auto& r : extra)
            out.push_back({r.method, r.pattern, r.handler(shared)});
        return out;
    }

    pages site;
    db::pool db;
    gateway shared;
    http::server server;
};

second_gateway::second_gateway(
    running_gateway& g, std::vector<extra_route> extra, const http::server_settings& settings)
    : first_(g), impl_(std::make_unique<impl>(g, extra, settings))
{
    first_.run([this]() -> async::task<void> {
        co_await impl_->db.start();
        co_await impl_->server.start();
    });
}

second_gateway::~second_gateway()
{
    first_.run([this]() -> async::task<void> {
        co_await impl_->server.stop();
        co_await impl_->db.stop();
    });
}

int second_gateway::port() const
{
    return impl_->server.port();
}

} // namespace coursegate::web_gateway::tests
