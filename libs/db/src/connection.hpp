// One connection to PostgreSQL: opened on first use, thrown away at the first sign of being broken
// (libpqxx 6.4 would quietly go on in a new session), with its prepared statements, and the retry rules of
// `transact`.
//
// Belongs to one thread at a time, except sever(), which any thread may call.
#pragma once

#include "coursegate/db/pool.hpp"
#include "coursegate/db/statement.hpp"
#include "coursegate/metrics/metrics.hpp"

#include <pqxx/pqxx>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace coursegate::db {

class attachments;
class param;
struct afterwards;

class connection
{
public:
    // Throws base::bad_configuration; connects later. `attached`, where given, outlives it.
    explicit connection(const settings& s, const attachments* attached = nullptr);
    ~connection();

    // Opens it if it isn't. Throws pqxx::broken_connection.
    pqxx::connection& open();

    // Runs body in a transaction and commits; see pool. `may_retry` is asked
    // before each further try. Returns what is to be done now that it has committed.
    afterwards transact(const std::function<void(transaction&)>& body, commit_mode mode,
        const std::function<bool()>& may_retry);

    // Statements outside a transaction. Throws unavailable or what libpqxx throws.
    void plain(const std::string& sql);

    // For transaction: one named statement. Faults are passed on as libpqxx reports them.
    pqxx::result run(pqxx::transaction_base& work, const statement& s, const std::vector<param>& params);
    pqxx::result script(pqxx::transaction_base& work, const std::string& sql);

    // Shuts the socket down when a round trip has been going on for longer than the statement timeout and ten
    // seconds: the server's own limits did not end it, so the server or the way to it is gone. The waiting
    // thread then gets a broken connection. Returns whether it did.
    bool sever_if_stuck();

private:
    class round_trip;
    struct prepared
    {
        std::string sql;
        metrics::histogram* seconds = nullptr;
    };

    void once(const std::function<void(transaction&)>& body, commit_mode mode, afterwards& then);
    void alone(const std::function<void(transaction&)>& body, afterwards& then);
    prepared& remembered(const statement& s);
    bool has_died_unseen();
    void drop() noexcept;

    const std::string options_;
    const attachments* const attached_;
    const std::chrono::milliseconds slow_;
    const std::chrono::milliseconds stuck_after_; // 0: never

    std::unordered_map<std::string_view, prepared> statements_; // keys are the statements' own constant names
    std::unique_ptr<pqxx::connection> open_;

    std::atomic<std::int64_t> waiting_since_{0}; // steady clock, nanoseconds; 0: no round trip
    std::mutex socket_mutex_;                    // the socket is not closed while another thread severs it
    int socket_ = -1;
};

} // namespace coursegate::db
