// The parts of an http:// or https:// address.
#pragma once

#include "coursegate/base/result.hpp"

#include <string>
#include <string_view>

namespace coursegate::http {

struct url
{
    bool is_tls = false;
    std::string host;   // lower case, without the brackets of an IPv6 address
    std::string port;   // always there
    std::string target; // path and query, never empty, without the fragment

    std::string_view scheme() const { return is_tls ? "https" : "http"; }
    bool is_default_port() const { return port == (is_tls ? "443" : "80"); }
    std::string authority() const; // for the Host header
    std::string origin() const;    // "https://stepik.org:443"
};

// errc::bad_url, also for what could not stand in a request line (spaces, line breaks) and for
// user:password@.
base::result<url> parse_url(std::string_view text);

// What a Location header means when `from` answered with it. errc::bad_url.
base::result<url> resolve(const url& from, std::string_view location);

} // namespace coursegate::http
