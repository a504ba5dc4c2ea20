import { Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { AuthModule } from './auth/auth.module.js';
import { AuthenticationGuard } from './auth/authentication.guard.js';
import { RolesGuard } from './auth/roles.guard.js';
import { UnroutedRequests } from './auth/unrouted.js';
import { ConsistencyGuard } from './consistency/consistency.guard.js';
import { GatewayReadiness } from './gateway-readiness.js';
import { HotReadsModule } from './hot-reads/hot-reads.module.js';
import { HttpModule } from './http/http.module.js';
import { ProblemFilter } from './http/problem.filter.js';
import { InfrastructureModule } from './infrastructure/infrastructure.module.js';
import { JobsModule } from './jobs/jobs.module.js';
import { RateLimitGuard } from './limits/rate-limit.guard.js';
import { MetricsModule } from './metrics/metrics.module.js';
import { OperationsModule } from './operations/operations.module.js';
import { PublicModule } from './public/public.module.js';
import { TenancyModule } from './tenancy/tenancy.module.js';
import { VmsModule } from './vms/vms.module.js';

/**
 * The gateway. Every request to an operation passes the guards in this order, then `InputPipe` and its controller
 * method. `GatewayAdapter` writes its answer, and `ProblemFilter` its error. Only `HotReadsModule` answers before them.
 */
@Module({
  imports: [
    AuthModule,
    HttpModule,
    HotReadsModule,
    VmsModule,
    JobsModule,
    MetricsModule,
    InfrastructureModule,
    TenancyModule,
    OperationsModule,
    PublicModule,
  ],
  providers: [
    { provide: APP_GUARD, useClass: AuthenticationGuard },
    { provide: APP_GUARD, useClass: RateLimitGuard },
    { provide: APP_GUARD, useClass: ConsistencyGuard },
    { provide: APP_GUARD, useClass: RolesGuard },
    { provide: APP_FILTER, useClass: ProblemFilter },
    { provide: APP_FILTER, useExisting: UnroutedRequests },
    GatewayReadiness,
  ],
})
export class AppModule {}
