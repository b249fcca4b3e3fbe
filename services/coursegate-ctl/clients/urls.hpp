// User and password out of a connection URL.
#pragma once

#include "coursegate/base/result.hpp"
#include "coursegate/base/secret.hpp"

#include <string>

namespace coursegate::ctl {

struct login
{
    std::string user;
    base::secret password;
};

// postgresql://user:password@host/db or amqp(s)://user:password@host. base::errc::malformed when user or
// password is missing; the detail never shows the URL.
base::result<login> parse_login(const base::secret& url);

} // namespace coursegate::ctl
