// One open transaction. Included only by storage code: it brings libpqxx along.
#pragma once

#include "coursegate/base/clock.hpp"
#include "coursegate/base/uuid.hpp"
#include "coursegate/db/attachments.hpp"
#include "coursegate/db/pool.hpp"
#include "coursegate/db/statement.hpp"

#include <pqxx/pqxx>

#include <concepts>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <typeindex>
#include <vector>

namespace coursegate::db {

class connection;

// A parameter: one of the project's types as PostgreSQL text, or NULL.
class param
{
public:
    param(std::nullopt_t) {}
    param(std::nullptr_t) {}
    param(bool v) : text_(v ? "t" : "f") {}
    template <std::integral I>
    requires(!std::same_as<I, bool>) param(I v) : text_(std::to_string(v)) {}
    param(double v);
    param(std::string_view v) : text_(std::string(v)) {}
    param(const std::string& v) : text_(v) {}
    param(std::string&& v) : text_(std::move(v)) {}
    param(const char* v) : text_(v) {}
    param(const base::uuid& v) : text_(base::to_string(v)) {}
    param(base::time_point v);                 // time_point::max() and min() are 'infinity' and '-infinity'
    param(const std::vector<std::int64_t>& v); // bigint[]
    param(const std::vector<std::string>& v);  // text[]
    param(const std::vector<base::uuid>& v);   // uuid[]
    param(const std::vector<bool>& v);         // boolean[]
    template <class T>
    param(const std::optional<T>& v)
    {
        if (v)
            *this = param(*v);
    }

    const std::optional<std::string>& text() const { return text_; }

private:
    std::optional<std::string> text_;
};

// Raw bytes (a sealed box, an HMAC) as a bytea parameter.
param bytes(std::string_view raw);
// timestamptz[] with NULLs.
param times(const std::vector<std::optional<base::time_point>>& v);
// bytea[].
param byte_arrays(const std::vector<std::string>& v);

// Reading a field. Throws std::logic_error naming the column when it is missing, NULL or does not fit (a bug,
// not an outcome). bigint[] and text[] with NULL elements don't fit; timestamptz infinity reads as
// time_point::max().
template <class T>
T get(const pqxx::row& row, const char* column);
template <>
std::string get(const pqxx::row&, const char*);
template <>
std::int64_t get(const pqxx::row&, const char*);
template <>
int get(const pqxx::row&, const char*);
template <>
double get(const pqxx::row&, const char*);
template <>
bool get(const pqxx::row&, const char*);
template <>
base::uuid get(const pqxx::row&, const char*);
template <>
base::time_point get(const pqxx::row&, const char*);
template <>
std::vector<std::int64_t> get(const pqxx::row&, const char*);
template <>
std::vector<std::string> get(const pqxx::row&, const char*);
std::string get_bytes(const pqxx::row& row, const char* column); // bytea

template <class T>
std::optional<T> get_optional(const pqxx::row& row, const char* column)
{
    if (row[column].is_null())
        return std::nullopt;
    return get<T>(row, column);
}

class transaction
{
public:
    // Runs a named statement. Throws constraint_violation; std::invalid_argument for a text with a zero byte,
    // which PostgreSQL can't hold; other faults end the transaction (see pool). Catching what it throws does
    // not save the transaction: the server has already given it up, and transact() throws the first fault
    // again.
    template <class... P>
    pqxx::result exec(const statement& s, const P&... params)
    {
        return exec_list(s, {param(params)...});
    }
    pqxx::result exec_list(const statement& s, const std::vector<param>& params);

    // A batch without parameters (migrations).
    void exec_script(const std::string& sql);

    // After COMMIT succeeded, the pool calls what was registered for `topic` with pool::on_commit.
    void wake_after_commit(std::string topic);

    // Called on the pool's thread once COMMIT succeeded, before the awaiting coroutine goes on; forgotten
    // when it did not, or when nobody knows (in_doubt). Quick, and throws nothing.
    void after_commit(std::function<void()> call) { calls_.push_back(std::move(call)); }

    // What was attached to the pool under T; nullptr when nothing was, or it is gone.
    template <class T>
    std::shared_ptr<T> attached() const
    {
        return std::static_pointer_cast<T>(find_attached(typeid(T)));
    }

    // NOTIFY on commit; duplicates inside one transaction are folded by the server.
    void notify(std::string_view channel, std::string_view payload = {});

    ~transaction();
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;

    struct access; // for libs/db itself
private:
    transaction() = default;
    std::shared_ptr<void> find_attached(std::type_index type) const;

    pqxx::transaction_base* work_ = nullptr;
    connection* connection_ = nullptr; // its prepared statements and histograms
    bool single_ = false;              // takes one statement (pool::autocommit)
    int statements_ = 0;
    std::exception_ptr fault_; // the first one, whether the body let it pass or not
    std::vector<std::string> topics_;
    std::vector<std::function<void()>> calls_;
    const attachments* attachments_ = nullptr;
};

} // namespace coursegate::db
