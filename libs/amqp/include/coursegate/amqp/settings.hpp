// How to reach the broker: AMQP_URL (one or more, comma separated), AMQP_PREFIX, AMQP_CA_FILE.
#pragma once

#include "coursegate/base/secret.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace coursegate::amqp {

struct broker_address
{
    bool tls = false;
    std::string host;
    int port = 5672; // 5671 for amqps
    std::string user;
    base::secret password;
    std::string vhost = "/";
};

struct settings
{
    std::vector<broker_address> addresses; // tried in order, the next one on failure
    std::string prefix = "coursegate";     // before exchange and queue names
    std::string ca_file;                   // for amqps; empty: the system's certificates
    std::string connection_name;           // shown by the broker's management tools
    std::chrono::seconds heartbeat{10};
    std::chrono::milliseconds confirm_deadline{10'000}; // shorter than the outbox claim
    // Of one address. start() waits as long as all of them may take, and once more.
    std::chrono::milliseconds connect_timeout{5'000};
    std::chrono::seconds probe_interval{10};
};

// Parses a comma-separated AMQP_URL. Throws base::bad_configuration naming AMQP_URL and, for each address
// that is wrong, the part (never the password).
std::vector<broker_address> parse_addresses(const base::secret& urls);

} // namespace coursegate::amqp
