// Somebody's browser in front of a gateway of a test: keeps cookies, follows no redirect, sends forms as
// browsers do.
#pragma once

#include "running_gateway.hpp"

#include "handlers/gateway.hpp"

#include "coursegate/http/server.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace coursegate::http {
struct client_request;
}

namespace coursegate::web_gateway::tests {

struct seen_page
{
    int status = 0;
    http::headers headers;
    std::string text;

    std::string header(const std::string& name) const { return headers.get(name).value_or(""); }
    std::vector<std::string> cookies() const; // each Set-Cookie line
    bool says(const std::string& part) const { return text.find(part) != std::string::npos; }
    // The value of the hidden field; fails the test where there is none.
    std::string hidden(const std::string& name) const;
};

using fields = std::vector<std::pair<std::string, std::string>>;

class browser
{
public:
    // `port` 0: the gateway's own.
    explicit browser(running_gateway& g, int port = 0);

    seen_page get(const std::string& target, const header_list& headers = {});
    seen_page post(const std::string& target, const fields& form, const header_list& headers = {});
    seen_page send(const std::string& method, const std::string& target, const std::string& body,
        const header_list& headers = {});

    // `count` times at the same moment, each on a connection of its own; the statuses. Cookies stay as they
    // are.
    std::vector<int> post_together(const std::string& target, const fields& form, int count);

    // Opens /login and sends its form.
    seen_page sign_in(const std::string& email, const std::string& code, const std::string& next = {});

    // The session's csrf field, as a signed-in page shows it.
    std::string csrf();

    std::map<std::string, std::string> cookies;
    std::string token() const; // of the session; empty: none

private:
    http::client_request request(const std::string& method, const std::string& target,
        const std::string& body, const header_list& headers) const;

    running_gateway& gateway_;
    int port_;
};

// Another gateway beside a running one: its own connections to the same database, its own port. It may have
// routes that the site does not.
class second_gateway
{
public:
    struct extra_route
    {
        std::string method;
        std::string pattern;
        std::function<http::handler(gateway&)> handler;
    };

    explicit second_gateway(
        running_gateway& g, std::vector<extra_route> extra = {}, const http::server_settings& settings = {});
    ~second_gateway();
    int port() const;

private:
    struct impl;
    running_gateway& first_;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::web_gateway::tests
