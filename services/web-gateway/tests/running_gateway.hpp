// A web-gateway of one test: the real route table behind the real HTTP server on a loopback port, a database
// of its own, logged in as the daemon's own role. What stepik-sync and boomstream-grant publish is played by
// tables in the schema `fixture`, put behind the names of their views.
#pragma once

#include "document.hpp"

#include "domain/course.hpp"
#include "handlers/feed_reader.hpp"

#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/http/message.hpp"
#include "coursegate/testkit/run.hpp"

#include <catch2/catch.hpp>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace coursegate::web_gateway::tests {

inline constexpr const char* token = "test-admin-token-0123";

base::keyring test_keys();

using header_list = std::vector<std::pair<std::string, std::string>>;

struct reply : document
{
    int status = 0;
    http::headers headers;

    // "409 duplicate email"
    std::string refusal() const;
};

class running_gateway
{
public:
    // `play_others` false: the real views of the other slices stay.
    explicit running_gateway(std::optional<course_settings> environment = {}, bool play_others = true);
    ~running_gateway();

    // As the daemon stops: the reverse order of start. May be called twice.
    void stop();

    // A request with the token. Every answer is held against openapi.yaml.
    reply call(const std::string& method, const std::string& target, const std::string& body = {},
        const header_list& headers = {}, bool with_token = true);
    // Several at the same moment, in the order of the list.
    std::vector<reply> call_together(const std::vector<std::string>& methods_and_targets,
        const std::string& body, const header_list& headers = {});

    void run(std::function<async::task<void>()> body);

    // As the owner of the database.
    void sql(const std::string& script);
    std::string one(const std::string& query); // the first field; "(none)" where there is none or NULL
    int count(const std::string& from);

    // Everything a write could leave behind, as one text: equal before and after means that nothing was
    // changed.
    std::string everything();

    document last_event(const std::string& type); // the whole envelope; fails where there is none
    int events(const std::string& type);
    document last_audit();

    // Starts the component that writes the environment's course once more.
    void start_again_with(course_settings given);

    // Cuts every connection of the daemon; `shut_out` also refuses new ones until let_in().
    void cut_connections(bool shut_out);
    void let_in();

    // Course `id` with module 50 (lessons 501, 502) and module 51 (503 without tasks, 504), as if Stepik had
    // been read.
    void add_course(std::int64_t id = 5);
    // Returns the id.
    std::string add_user(const std::string& email, std::int64_t stepik_user_id = 0);

    db::settings settings() const; // of the daemon's own role
    async::executor executor();
    db::pool& db();
    feed_reader& feed();
    const base::keyring& keys() const;
    int port() const;

private:
    struct impl;
    std::unique_ptr<impl> impl_;
};

} // namespace coursegate::web_gateway::tests
