// The gateway's and the sandbox's JSON APIs, called one request at a time from the command line.
#pragma once

#include "coursegate/base/secret.hpp"

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace coursegate::ctl {

// The other side answered 4xx or 5xx, or could not be reached; what() is the sentence to print.
class call_failed : public std::runtime_error
{
public:
    call_failed(const std::string& sentence, int status_) : std::runtime_error(sentence), status(status_) {}
    int status; // 0: not reached
};

class json_api
{
public:
    json_api(std::string base_url, base::secret token);
    ~json_api();

    // Throws call_failed. An empty `body` sends none.
    nlohmann::json call(
        const std::string& method, const std::string& path, const nlohmann::json* body = nullptr);
    nlohmann::json get(const std::string& path);
    nlohmann::json post(const std::string& path, const nlohmann::json& body);
    nlohmann::json put(const std::string& path, const nlohmann::json& body);

    // Reads a server-sent event stream until `take` returns false or `longest` passed; reconnects where it
    // broke (Last-Event-ID). `take` gets the event's type and data.
    void follow(const std::string& path, std::chrono::milliseconds longest,
        const std::function<bool(const std::string& type, const nlohmann::json& data)>& take);

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::ctl
