// Who does something, as the audit log names it.
#pragma once

#include <optional>
#include <string>

namespace coursegate::web_gateway {

// Whoever presented a token we know.
struct principal
{
    std::string name; // "admin-token"; never the token
};

// One write by a person or a tool: who, for whom, and which request it came in.
struct act
{
    std::string who; // the principal, a person on the site ("user/<id>"), or "environment"
    std::optional<std::string>
        on_behalf_of{};               // X-Actor: the person in front of the tool that holds the token
    std::string request_id;           // of the HTTP request
    std::string traceparent;          // W3C trace context, or empty
    std::optional<std::string> why{}; // the reason, where one was given
    std::string address;              // where the request came from, or empty

    // What events and other daemons call the actor: the person where known, else the token.
    const std::string& actor() const { return on_behalf_of ? *on_behalf_of : who; }
};

} // namespace coursegate::web_gateway
