// The course that the environment gives: written at each start, and it wins over what was there.
#pragma once

#include "domain/course.hpp"

#include "coursegate/async/component.hpp"
#include "coursegate/base/keyring.hpp"
#include "coursegate/db/pool.hpp"

#include <optional>

namespace coursegate::web_gateway {

// Its start() writes the course, with an audit row and course_connected when it is new or anything changed,
// in one transaction: a crash before COMMIT leaves nothing, after it the next start finds nothing to change.
// Several gateways that start together write the same.
class environment_course final : public async::component
{
public:
    environment_course(db::pool& db, const base::keyring& keys, std::optional<course_settings> given);

    std::string_view name() const override { return "environment-course"; }
    async::task<void> start() override; // throws base::dependency_down
    async::task<void> stop() override;
    async::health check() const override;

private:
    db::pool& db_;
    const base::keyring& keys_;
    std::optional<course_settings> given_;
};

} // namespace coursegate::web_gateway
