#include "access.hpp"
#include "connection.hpp"
#include "coursegate/db/pool.hpp"
#include "faults.hpp"

namespace coursegate::db {

struct session::impl
{
    explicit impl(const settings& s) : link(s) {}
    connection link;
};

session::session(const settings& s) : impl_(std::make_unique<impl>(s))
{
    try {
        impl_->link.open();
    }
    catch (const pqxx::broken_connection& e) {
        throw unavailable("PostgreSQL can't be used: " + first_line(e.what()));
    }
}

session::~session() = default;

void session::execute_plain(const std::string& sql)
{
    impl_->link.plain(sql);
}

void session::run(const std::function<void(transaction&)>& body)
{
    for (const auto& call : impl_->link.transact(body, commit_mode::at_the_end, [] { return true; }).calls)
        call();
}

} // namespace coursegate::db
