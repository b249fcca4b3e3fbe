// DATABASE_URL looked at before anybody connects, so that a bad one is told together with all other bad
// settings.
#pragma once

#include "coursegate/base/secret.hpp"

#include <string>

namespace coursegate::db {

// What is wrong with the URL, in one sentence that begins with DATABASE_URL and never quotes a password;
// empty when nothing is.
std::string fault_of_url(const base::secret& url);

} // namespace coursegate::db
